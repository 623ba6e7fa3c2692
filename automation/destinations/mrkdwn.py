"""Slack's kind of Markdown, and how long its parts may be. https://docs.slack.dev/messaging/formatting-message-text"""

LONGEST_LINE = 150  # escaped five times as long at most; Slack refuses a section of more than 3,000 characters
LONGEST_HEADER = 150


def escape(text: str) -> str:
    """Slack's three control characters, so that a lead named `<!channel>` wakes nobody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
