"""Reading back: CDA, FHIR document, XDM archive and mail, ours or another's, into ClinicalDocument and findings.

Nothing here shares code with gateway.render: a reader written apart is what proves the writers. Both take the same
tables (mappings/). Whatever the bytes, a reader returns findings, never an exception.
"""

from gateway.read.reading import Attachment, Reading

__all__ = ["Attachment", "Reading"]
