"""The store on InfluxDB 1.x, 2.x and 3."""
