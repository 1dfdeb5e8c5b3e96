"""What the local API keeps: runs and tasks, their ids, and how it shows them."""
