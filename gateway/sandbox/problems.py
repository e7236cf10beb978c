"""What a check of the sandbox found wrong, in the words of IHE and in French for the reader."""

from __future__ import annotations

from dataclasses import dataclass

MISSING_DOCUMENT = "XDSMissingDocument"
MISSING_METADATA = "XDSMissingDocumentMetadata"
REGISTRY_METADATA = "XDSRegistryMetadataError"
REPOSITORY_METADATA = "XDSRepositoryMetadataError"
REPOSITORY = "XDSRepositoryError"
REPOSITORY_BUSY = "XDSRepositoryBusy"
REGISTRY_BUSY = "XDSRegistryBusy"
OUT_OF_RESOURCES = "XDSRepositoryOutOfResources"
REGISTRY_OUT_OF_RESOURCES = "XDSRegistryOutOfResources"
NOT_AVAILABLE = "XDSRegistryNotAvailable"
DUPLICATE_IN_MESSAGE = "XDSRegistryDuplicateUniqueIdInMessage"
DUPLICATE_IN_REGISTRY = "XDSDuplicateUniqueIdInRegistry"
OTHER_HASH = "XDSNonIdenticalHash"
OTHER_SIZE = "XDSNonIdenticalSize"
UNKNOWN_PATIENT = "XDSUnknownPatientId"
OTHER_PATIENT = "XDSPatientIdDoesNotMatch"
DEPRECATED = "XDSRegistryDeprecatedDocumentError"
CONTENT = "InvalidDocumentContent"
UNRESOLVED = "UnresolvedReferenceException"
POLICY = "LocalPolicyRestrictionError"
REGISTRY = "XDSRegistryError"
UNKNOWN_QUERY = "XDSUnknownStoredQuery"
MISSING_PARAMETER = "XDSStoredQueryMissingParam"
PARAMETER_NUMBER = "XDSStoredQueryParamNumber"
NOT_SINGLE_PATIENT = "XDSResultNotSinglePatient"
TOO_MANY_RESULTS = "XDSTooManyResults"
UNKNOWN_REPOSITORY = "XDSUnknownRepositoryId"
DOCUMENT_UNIQUE_ID = "XDSDocumentUniqueIdError"
UPDATE = "XDSMetadataUpdateError"
UPDATE_OPERATION = "XDSMetadataUpdateOperationError"
UPDATE_VERSION = "XDSMetadataVersionError"
UNMODIFIABLE = "UnmodifiableMetadataError"


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal: an IHE error code (ITI TF-3 table 4.2.4.1-2), where, and why in French."""

    code: str
    location: str
    message: str
