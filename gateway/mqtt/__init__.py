"""MQTT: topics, who may use them, readings on the wire, who reads them, the embedded broker."""
