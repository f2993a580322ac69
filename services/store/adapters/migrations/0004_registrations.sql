-- What services want for plugins of a capability; the table outlives them, their leases do not.
CREATE TABLE registrations (
    -- handler or option
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    interface TEXT NOT NULL,
    -- services.store.domain.registration.HandlerRecord, or shared.contracts.capability.RuntimeOption.
    record TEXT NOT NULL,
    PRIMARY KEY (kind, owner, interface)
) WITHOUT ROWID;
