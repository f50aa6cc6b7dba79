"""Errors of services, in whatever format a framework gives them, read into one form and made safe to show."""
