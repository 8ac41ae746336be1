"""Keys and certificates in a network's folders: pairs written and read, authorities opened."""

from network.certificates.authority import Authority, KeyPair, MemberAuthority
from network.layout import Credential, NetworkLayout, write_new
from network.plan import Plan


def write_pair(place: Credential, pair: KeyPair) -> None:
    """Write a certificate and its key (0600); neither may exist yet."""
    write_new(place.certificate, pair.certificate_pem, private=False)
    write_new(place.key, pair.key_pem, private=True)


def read_pair(place: Credential) -> KeyPair:
    """Read back what `write_pair` wrote."""
    return KeyPair(place.certificate.read_bytes(), place.key.read_bytes())


def member_authority(plan: Plan, member_id: str, layout: NetworkLayout) -> MemberAuthority:
    """A member's authorities from its folder, to issue certificates for people and devices."""
    member = plan.member(member_id)
    folder = layout.member(member_id)
    return MemberAuthority(
        mspid=member.mspid,
        organization=member.name,
        enrolment=Authority(read_pair(folder.authority)),
        tls=Authority(read_pair(folder.tls_authority)),
        certificate_days=plan.certificate_days,
    )
