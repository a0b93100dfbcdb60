"""HTTP in, HTTP out: each file parses requests for one area, calls the rules, and formats what they answer. No rule lives here."""
