"""Step 3, checking: a bad request or a function that raises gets an error reply; a bad reply harms no call."""
