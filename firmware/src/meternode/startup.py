"""Starting a node, the same on every kind of board: secrets, enrolment, then the tasks."""

import json

from meternode.app import App
from meternode.flash import read_bytes
from meternode.keys import enrolment, load_signer, load_token, make_secret
from meternode.node import Node
from meternode.settings import BadSettings, Settings
from meternode.signing import SecureElementSigner

CONFIG, ENROLMENT_CODE = "config.json", "enrol.code"


def load_settings(root):
    """The installer's settings; raises `BadSettings` naming the field, or `OSError`."""
    with open(root + CONFIG) as file:
        return Settings(json.load(file))


def prepare(settings, clock, hardware, root, element=None):
    """The application, ready to run. The first start makes the key; enrolment is told each time.

    `element` is the secure element of tier C; raises `BadSettings` when it and the tier disagree:
    a key on flash must never pass for one in an element.
    """
    folder = root + "keys"
    if (element is not None) != (settings.tier == "C"):
        raise BadSettings("tier: C is for a node with a secure element, and only C")
    if element is not None:
        signer = SecureElementSigner(element)
    else:
        make_secret(folder, settings.tier)
        signer = load_signer(folder, settings.tier)
    code = read_bytes(root + ENROLMENT_CODE)
    if code is not None:
        told = enrolment(settings.device, code.decode().strip(), signer)
        print(json.dumps({"enrolment": told}))
    node = Node(settings, signer, clock, root + "state")
    return App(node, settings, clock, hardware, token=load_token(folder), root=root)
