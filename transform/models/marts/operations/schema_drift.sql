-- Fields that appeared, vanished or changed their type, of both sources.
select
    organization,
    'raise' as source,
    resource,
    field,
    kind,
    first_seen_at,
    last_seen_at,
    example
from {{ ref('stg_raise__schema_drift') }}
union all
select
    organization,
    'crm_plus' as source,
    resource,
    field,
    kind,
    first_seen_at,
    last_seen_at,
    example
from {{ ref('stg_crm_plus__schema_drift') }}
