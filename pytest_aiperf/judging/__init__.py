"""The rules, one file per `Rule`: each holds a metric against its baseline and against a limit."""
