"""What events may look like."""
