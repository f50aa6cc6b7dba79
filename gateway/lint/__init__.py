"""Warnings about configurations that are valid and probably not what was meant, for `gateway check`.

`rules` is the catalogue with the ids, which never change. `references`, `security`, `limits` and `routes` find what the
rules are about, `sarif` writes findings for code review tools, and `fix` corrects spelling.
"""
