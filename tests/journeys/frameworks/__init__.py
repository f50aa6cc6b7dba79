"""Services written with widespread frameworks. Each prints its port and serves until it is ended."""
