"""One request to Close: the client, its errors, and the rate limits. It knows paths and answers, but no stream."""
