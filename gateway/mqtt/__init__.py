"""MQTT: topics, who may use them, the reading client and the embedded broker."""
