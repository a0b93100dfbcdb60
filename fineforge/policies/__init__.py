"""Policies: a project's own rules about plans, in CEL.

`rules` are the shapes in files, `reading` finds and compiles them, `judging` holds a plan against them, `cases` tries them on
what is written beside them. What a rule sees: docs/how-to/policies.md; why it is so: docs/decisions/0011-policies.md.
"""
