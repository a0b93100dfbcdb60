"""HTTP in, HTTP out: each file parses requests of one area, calls the rules, and formats what they answer. No rule is here."""
