"""Services and attachments -> what each proxy should do."""
