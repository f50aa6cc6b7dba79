"""Services written with the frameworks that services are written with. Each prints its port and serves until it is ended."""
