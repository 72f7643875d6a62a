"""The client against the OpenAPI document, the simulator and the official SDK."""
