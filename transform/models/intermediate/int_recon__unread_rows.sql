-- Rows that the newest read of their resource left out: large collections are read in slices. What such a row says, and that
-- it is there at all, is as old as its own read.
with ranges as (
    select
        organization,
        'raise' as source,
        resource,
        above_key,
        read_at
    from {{ ref('stg_raise__read_ranges') }}
    where resource in ('donors', 'gifts', 'recurring_gifts')
    union all
    select
        organization,
        'crm_plus' as source,
        resource,
        above_key,
        read_at
    from {{ ref('stg_crm_plus__read_ranges') }}
    -- what is changed there comes by itself: only a gift that was deleted is seen no earlier than its slice
    where resource = 'gifts'
),

dated_ranges as (
    select
        organization,
        source,
        resource,
        coalesce(above_key, -9223372036854775808) as above_key,
        read_at,
        max(read_at) over (partition by organization, source, resource) as newest_read_at
    from ranges
    qualify min(read_at) over (partition by organization, source, resource) < newest_read_at
),

records as (
    select
        organization,
        'raise' as source,
        'donors' as resource,
        donor_id as record_key,
        extracted_at
    from {{ ref('stg_raise__donors') }}
    where not is_deleted
    union all
    select
        organization,
        'raise' as source,
        'gifts' as resource,
        gift_id as record_key,
        extracted_at
    from {{ ref('stg_raise__gifts') }}
    where not is_deleted
    union all
    select
        organization,
        'raise' as source,
        'recurring_gifts' as resource,
        recurring_gift_id as record_key,
        extracted_at
    from {{ ref('stg_raise__recurring_gifts') }}
    where not is_deleted
    union all
    select
        organization,
        'crm_plus' as source,
        'gifts' as resource,
        gift_id as record_key,
        extracted_at
    from {{ ref('stg_crm_plus__gifts') }}
    where not is_deleted
)

select
    records.organization,
    records.source,
    records.resource,
    records.record_key,
    -- a row that came outside its slice is as new as that
    greatest(dated_ranges.read_at, records.extracted_at) as read_at
from records
-- most collections are read whole: nothing of these is sorted below
semi join dated_ranges as read_in_slices
    on
        records.organization = read_in_slices.organization
        and records.source = read_in_slices.source
        and records.resource = read_in_slices.resource
asof inner join dated_ranges
    on
        records.organization = dated_ranges.organization
        and records.source = dated_ranges.source
        and records.resource = dated_ranges.resource
        and records.record_key > dated_ranges.above_key
where greatest(dated_ranges.read_at, records.extracted_at) < dated_ranges.newest_read_at
