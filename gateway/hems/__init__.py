"""Home energy data and devices: readings kept and judged, transfers, plugs, batteries.

service.py           the data service that pages and the API read
series.py            measured values as they are kept
plausibility.py      what a reading must be; `alarms`, `availability`, `device_health`
dispute_decisions.py what the decision of a dispute means for doubts about a meter
anchoring.py         hashes of hours on the ledger; `anchor_recovery`, `anchored_rows`, `tampering`
transfers.py         relays of both ends; `transfer_rules`, `planning`, `links`, `link_audit`
switching.py         plugs that are switched, by `own_switching`; `plug_services`, `stored_plugs`
home_devices.py      what home automations are told of devices, by `home_assistant_devices`
fleet.py             meters of the demo: `virtual_meter`, or real firmware in `firmware_meter`
"""
