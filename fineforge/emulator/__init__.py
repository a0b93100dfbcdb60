"""The local Azure ML. Of the client it imports at most `fineforge.catalog`; the client never imports this package."""
