"""What comes due by time: lingering lanes, retries, leases that ended."""
