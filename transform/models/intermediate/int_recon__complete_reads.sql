-- The complete reads of each resource that are believed. A clock that was ahead dates a read later than the run that came
-- last: what it read stays, when it read it is not known.
with reads as (
    select
        organization,
        source,
        resource,
        mode,
        run_number,
        started_at,
        finished_at,
        recorded_at
    from {{ ref('stg_raise__load_audit') }}
    where is_complete
    union all
    select
        organization,
        source,
        resource,
        mode,
        run_number,
        started_at,
        finished_at,
        recorded_at
    from {{ ref('stg_crm_plus__load_audit') }}
    where is_complete
),

clocks as (
    select
        organization,
        'raise' as source,
        recorded_at as run_clock
    from {{ ref('stg_raise__connections') }}
    union all
    select
        organization,
        'crm_plus' as source,
        recorded_at as run_clock
    from {{ ref('stg_crm_plus__connections') }}
)

select
    reads.organization,
    reads.source,
    reads.resource,
    reads.mode,
    reads.started_at,
    coalesce(reads.finished_at, reads.started_at) as finished_at,
    -- in the order in which they were recorded: clocks may go back
    row_number() over (
        partition by reads.organization, reads.source, reads.resource
        order by reads.run_number desc nulls last, reads.recorded_at desc nulls last, reads.started_at desc
    ) as recency
from reads
left join clocks
    on
        reads.organization = clocks.organization
        and reads.source = clocks.source
where reads.started_at <= coalesce(clocks.run_clock, 'infinity'::timestamptz)
