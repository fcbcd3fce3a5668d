"""One module per runtime that can say which operators its models spend their time in, named like its framework."""
