-- Records and fields that could not be read or typed, of both sources. An empty field means the whole record.
select
    organization,
    'raise' as source,
    resource,
    record_id,
    field,
    error,
    raw_text,
    first_seen_at,
    last_seen_at,
    attempts,
    resolved_at
from {{ ref('stg_raise__quarantined_records') }}
union all
select
    organization,
    'crm_plus' as source,
    resource,
    record_id,
    field,
    error,
    raw_text,
    first_seen_at,
    last_seen_at,
    attempts,
    resolved_at
from {{ ref('stg_crm_plus__quarantined_records') }}
