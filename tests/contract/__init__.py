"""What goes over the wire, held against the OpenAPI document, the simulator and the official client."""
