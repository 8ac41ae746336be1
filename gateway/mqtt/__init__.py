"""MQTT: topics, who may use them, readings on the wire, the reading client, the embedded broker."""
