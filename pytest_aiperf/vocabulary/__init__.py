"""The nouns everything speaks: closed sets, records, the sockets of the shelves, units, JSON, errors."""
