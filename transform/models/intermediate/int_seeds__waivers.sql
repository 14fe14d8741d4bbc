-- The waivers that people wrote, typed, each with what is wrong with it. A row below another one may renew it: both stay.
with lines as (
    {{ seed_rows('waivers', ['organization', 'entity', 'record_id', 'code', 'reason', 'waived_by', 'waived_until']) }}
),

typed as (
    select
        line,
        line_text,
        line_problem,
        organization,
        lower(entity) as entity,
        {{ integer_key('record_id') }} as record_id,
        lower(code) as code,
        reason,
        waived_by,
        waived_until as waived_until_text,
        try_cast(waived_until as date) as waived_until
    from lines
),

entities as (
    select distinct entity
    from {{ ref('recon_statuses') }}
),

judged as (
    select
        typed.line,
        typed.line_text,
        typed.organization,
        typed.entity,
        typed.record_id,
        typed.code,
        typed.reason,
        typed.waived_by,
        typed.waived_until,
        case
            when typed.line_problem is not null then typed.line_problem
            when organizations.organization is null then 'No such organization.'
            when entities.entity is null then 'The entity is none of donor, gift, recurring_gift.'
            when typed.record_id is null then 'The record id is no positive integer.'
            when not coalesce(statuses.is_exception, false) then 'The code is no exception of this entity.'
            when typed.reason is null then 'The reason is missing.'
            when typed.waived_until is null and typed.waived_until_text is not null
                then 'The last day is no date of the form YYYY-MM-DD.'
        end as problem
    from typed
    left join {{ ref('int_organizations') }} as organizations
        on typed.organization = organizations.organization
    left join entities
        on typed.entity = entities.entity
    left join {{ ref('recon_statuses') }} as statuses
        on
            typed.entity = statuses.entity
            and typed.code = statuses.code
),

told_above as (
    select
        *,
        max(case when problem is null then coalesce(waived_until, date 'infinity') end) over (
            partition by organization, entity, record_id, code
            order by line
            rows between unbounded preceding and 1 preceding
        ) as waived_above_until
    from judged
)

select
    * exclude (waived_above_until)
    replace (
        coalesce(
            problem,
            case
                when coalesce(waived_until, date 'infinity') <= waived_above_until
                    then 'A row above waives the same exception for as long or longer.'
            end
        ) as problem
    )
from told_above
