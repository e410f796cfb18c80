"""Downloads as temporary files: fetched ahead, proved whole, within the space that there is."""
