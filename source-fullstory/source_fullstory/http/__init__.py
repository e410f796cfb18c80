"""One request to FullStory: the client, its errors, and the rate limits. It knows paths and answers, but no stream."""
