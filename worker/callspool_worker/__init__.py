"""The worker of callspool: accepts call requests, batches them and hands them to the API."""
