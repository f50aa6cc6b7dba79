"""HTTP rules: paths and their readings, header fields of both directions, content codings, statuses."""
