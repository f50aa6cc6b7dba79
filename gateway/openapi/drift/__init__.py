"""Drift of services: replies that are not as an OpenAPI document describes them, found without any client waiting.

reply_contract  what replies of an operation are like, compiled, and what is not so about one of them
watch           the answers of services that are checked, one after the other, and what was found in them so far
"""
