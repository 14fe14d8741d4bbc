select
    organization,
    source,
    resource,
    field,
    kind,
    example,
    first_seen_at,
    last_seen_at
from {{ source('raw_crm_plus', 'schema_drift') }}
