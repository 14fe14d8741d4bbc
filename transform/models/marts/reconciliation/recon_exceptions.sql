-- The register of exceptions: one row per record and status ever seen as an exception, kept across runs and full refreshes.
-- The clock is that of the comparison (`as_of`); a record that could not be assessed leaves its rows as they are.
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
            when status in ('amount_mismatch', 'duplicate') then abs(compared_net_amount - expected_net_amount)
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
            when status = 'amount_mismatch' then abs(crm_amount - raise_amount)
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

register as (
    {% if is_incremental() -%}
        select
            *,
            case when raise_id is null then 'crm_plus' else 'raise' end as record_source,
            coalesce(raise_id, crm_id) as record_id
        from {{ this }}
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

not_seen_any_more as (
    select
        register.exception_id,
        register.organization,
        register.entity,
        register.code,
        register.raise_id,
        register.crm_id,
        register.record_id,
        register.amount_at_stake,
        register.cause,
        register.crm_url,
        assessability.as_of,
        register.first_seen_at,
        register.last_seen_at,
        coalesce(register.resolved_at, greatest(assessability.as_of, register.last_seen_at)) as resolved_at,
        register.reopened_count
    from register
    anti join seen_now on register.exception_id = seen_now.exception_id
    inner join assessability
        on
            register.organization = assessability.organization
            and register.entity = assessability.entity
            and assessability.as_of is not null
    left join keyed_records
        on
            register.organization = keyed_records.organization
            and register.entity = keyed_records.entity
            and register.record_source = keyed_records.record_source
            and register.record_id = keyed_records.record_id
    where
        case
            when keyed_records.status is not null then keyed_records.status != 'not_assessable'
            else assessability.is_assessable
        end
),

touched as (
    select * from seen_now
    union all by name
    select * from not_seen_any_more
),

aged as (
    select
        touched.*,
        waivers.reason as waived_reason,
        waivers.waived_until,
        waivers.record_id is not null as is_waived,
        (epoch_us(coalesce(touched.resolved_at, touched.as_of)) - epoch_us(touched.first_seen_at)) // 86400000000 as age_days
    from touched
    left join waivers
        on
            touched.organization = waivers.organization
            and touched.entity = waivers.entity
            and touched.record_id = waivers.record_id
            and touched.code = waivers.code
            and cast(touched.as_of as date) <= coalesce(waivers.waived_until, date '9999-12-31')
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
