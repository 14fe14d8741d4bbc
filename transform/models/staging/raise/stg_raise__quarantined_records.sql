select
    organization,
    attempts,
    source,
    resource,
    record_id,
    field,
    error,
    raw_text,
    first_seen_at,
    last_seen_at,
    resolved_at
from {{ source('raw_raise', 'quarantined_records') }}
