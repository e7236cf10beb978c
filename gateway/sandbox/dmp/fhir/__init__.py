"""The DMP's FHIR door in the sandbox (experimental, PDSm drafts): same store as SOAP, parsing and checks of its own."""
