with unpacked as (
    select
        organization,
        resource,
        unnest(from_json(coverage, '[["VARCHAR"]]')) as bounds
    from {{ source('raw_crm_plus', 'read_progress') }}
)

select
    organization,
    resource,
    try_cast(bounds[1] as bigint) as above_key,
    try_cast(bounds[2] as bigint) as up_to_key,
    try_cast(bounds[3] as timestamptz) as read_at
from unpacked
