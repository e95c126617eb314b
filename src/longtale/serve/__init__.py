"""Serving: requests and events in over HTTP, slates out."""
