"""Views: values in, text out. Nothing here reads, decides, or knows where the text goes.

`text` writes for people, `json` for programs, `diagnostics` says what is wrong, `events` follows an apply.
"""
