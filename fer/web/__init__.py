"""The browser app: one module for each page."""
