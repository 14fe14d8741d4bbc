-- The register of exceptions: one row per record and status ever seen as an exception, kept across runs and full refreshes.
-- The clock is that of the comparison (`as_of`). Of a record that could not be assessed only age and waiver go on.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='exception_id',
    on_schema_change='append_new_columns',
    full_refresh=false
) }}
with assessability as (
    select
        organization,
        entity,
        as_of,
        is_assessable
    from {{ ref('int_recon__assessability') }}
),

statuses as (
    select
        entity,
        code,
        nullif(severity, '') as severity,
        recommended_action
    from {{ ref('recon_statuses') }}
),

-- CRM+ records whose present state is not known, by the entity that they are compared as
quarantine as (
    select distinct
        organization,
        case resource
            when 'contacts' then 'donor'
            when 'gifts' then 'gift'
            when 'recurring_gifts' then 'recurring_gift'
        end as entity,
        record_key as crm_id
    from {{ ref('int_recon__open_quarantine') }}
    where source = 'crm_plus' and record_key is not null
),

waivers as (
    select
        organization,
        entity,
        record_id,
        code,
        reason,
        waived_until
    from {{ ref('int_seeds__waivers') }}
    where problem is null
    -- of a waiver and those that renewed it, the one that lasts longest
    qualify
        row_number() over (
            partition by organization, entity, record_id, code
            order by waived_until desc nulls first
        ) = 1
),

records as (
    select
        organization,
        'donor' as entity,
        raise_id,
        crm_id,
        status,
        is_exception,
        raise_amount as amount_at_stake,
        cause,
        crm_url,
        as_of
    from {{ ref('recon_donors') }}
    union all
    select
        organization,
        'gift' as entity,
        raise_id,
        crm_id,
        status,
        is_exception,
        case
            when raise_id is null or status = 'refund_not_reversed' then abs(crm_amount)
            when status in ('amount_mismatch', 'duplicate')
                then try_cast(abs({{ wide('compared_net_amount') }} - expected_net_amount) as decimal(18, 2))
            else raise_amount
        end as amount_at_stake,
        cause,
        crm_url,
        as_of
    from {{ ref('recon_gifts') }}
    union all
    select
        organization,
        'recurring_gift' as entity,
        raise_id,
        crm_id,
        status,
        is_exception,
        case
            when raise_id is null then crm_amount
            when status = 'amount_mismatch'
                then try_cast(abs({{ wide('crm_amount') }} - raise_amount) as decimal(18, 2))
            else raise_amount
        end as amount_at_stake,
        cause,
        crm_url,
        as_of
    from {{ ref('recon_recurring_gifts') }}
),

keyed_records as (
    select
        *,
        case when raise_id is null then 'crm_plus' else 'raise' end as record_source,
        coalesce(raise_id, crm_id) as record_id
    from records
),

seen as (
    select
        *,
        md5(concat_ws('|', organization, entity, record_source, record_id, status)) as exception_id
    from keyed_records
    where is_exception and as_of is not null
),

run_clocks as ( -- noqa: ST03
    select
        organization,
        recorded_at as run_clock
    from {{ ref('stg_raise__connections') }}
),

register as (
    {% if is_incremental() -%}
        -- what a clock that was ahead dated later than this run was seen by now at the latest
        select
            known.* exclude (first_seen_at, last_seen_at, resolved_at),
            least(known.first_seen_at, run_clocks.run_clock) as first_seen_at,
            least(known.last_seen_at, run_clocks.run_clock) as last_seen_at,
            case when known.resolved_at is not null then least(known.resolved_at, run_clocks.run_clock) end as resolved_at,
            case when known.raise_id is null then 'crm_plus' else 'raise' end as record_source,
            coalesce(known.raise_id, known.crm_id) as record_id
        from {{ this }} as known
        left join run_clocks on known.organization = run_clocks.organization
    {%- else -%}
        select
            null as exception_id,
            null as organization,
            null as entity,
            null as code,
            cast(null as bigint) as raise_id,
            cast(null as bigint) as crm_id,
            cast(null as decimal(18, 2)) as amount_at_stake,
            null as cause,
            null as crm_url,
            cast(null as timestamptz) as first_seen_at,
            cast(null as timestamptz) as last_seen_at,
            cast(null as timestamptz) as resolved_at,
            cast(null as bigint) as reopened_count,
            null as record_source,
            cast(null as bigint) as record_id
        where false
    {%- endif %}
),

seen_now as (
    select
        seen.exception_id,
        seen.organization,
        seen.entity,
        seen.status as code,
        seen.raise_id,
        seen.crm_id,
        seen.record_id,
        seen.amount_at_stake,
        seen.cause,
        seen.crm_url,
        seen.as_of,
        least(coalesce(register.first_seen_at, seen.as_of), seen.as_of) as first_seen_at,
        greatest(coalesce(register.last_seen_at, seen.as_of), seen.as_of) as last_seen_at,
        cast(null as timestamptz) as resolved_at,
        coalesce(register.reopened_count, 0) + case when register.resolved_at is not null then 1 else 0 end
            as reopened_count
    from seen
    left join register on seen.exception_id = register.exception_id
),

-- a record that only CRM+ has may have no row because what makes it one could not be read, or because its key counts as
-- unknown: nothing was learned of it
absences as (
    select
        register.*,
        assessability.as_of,
        case
            when assessability.as_of is null then false
            when keyed_records.status is not null then keyed_records.status != 'not_assessable'
            when register.record_source = 'raise' then assessability.is_assessable
            else
                assessability.is_assessable
                and quarantine.crm_id is null
                and (register.entity != 'gift' or coalesce(key_health.is_key_trusted, true))
        end as is_judged
    from register
    anti join seen_now on register.exception_id = seen_now.exception_id
    inner join assessability
        on
            register.organization = assessability.organization
            and register.entity = assessability.entity
    left join keyed_records
        on
            register.organization = keyed_records.organization
            and register.entity = keyed_records.entity
            and register.record_source = keyed_records.record_source
            and register.record_id = keyed_records.record_id
    left join quarantine
        on
            register.organization = quarantine.organization
            and register.entity = quarantine.entity
            and register.crm_id = quarantine.crm_id
    left join {{ ref('int_recon__gift_key_health') }} as key_health
        on register.organization = key_health.organization
),

-- What was not judged stays as it was seen; the clock and the waivers go on.
not_seen_now as (
    select
        exception_id,
        organization,
        entity,
        code,
        raise_id,
        crm_id,
        record_id,
        amount_at_stake,
        cause,
        crm_url,
        greatest(as_of, last_seen_at) as as_of,
        first_seen_at,
        last_seen_at,
        coalesce(resolved_at, case when is_judged then greatest(as_of, last_seen_at) end) as resolved_at,
        reopened_count
    from absences
),

entries as (
    select * from seen_now
    union all by name
    select * from not_seen_now
),

aged as (
    select
        entries.*,
        waivers.reason as waived_reason,
        waivers.waived_until,
        waivers.record_id is not null as is_waived,
        (epoch_us(coalesce(entries.resolved_at, entries.as_of)) - epoch_us(entries.first_seen_at)) // 86400000000 as age_days
    from entries
    left join waivers
        on
            entries.organization = waivers.organization
            and entries.entity = waivers.entity
            and entries.record_id = waivers.record_id
            and entries.code = waivers.code
            and cast(entries.as_of as date) <= coalesce(waivers.waived_until, date '9999-12-31')
)

select
    aged.organization,
    aged.exception_id,
    aged.entity,
    aged.code,
    statuses.severity,
    aged.raise_id,
    aged.crm_id,
    aged.amount_at_stake,
    aged.cause,
    statuses.recommended_action,
    aged.crm_url,
    aged.first_seen_at,
    aged.last_seen_at,
    aged.resolved_at,
    aged.reopened_count,
    case
        when aged.resolved_at is not null then 'resolved'
        when aged.is_waived then 'waived'
        else 'open'
    end as state,
    aged.age_days,
    case
        when aged.age_days < 1 then '< 24 h'
        when aged.age_days < 2 then '24–48 h'
        when aged.age_days < 3 then '48–72 h'
        when aged.age_days < 7 then '3–7 d'
        when aged.age_days < 30 then '7–30 d'
        else '30 d +'
    end as age_bucket,
    aged.waived_reason,
    aged.waived_until
from aged
left join statuses
    on
        aged.entity = statuses.entity
        and aged.code = statuses.code
