-- Which CRM+ schedule each Raise schedule is, by its key, else by the transaction pair. The key of one schedule does not
-- take from another what names it.
with raise_schedules as (
    select
        organization,
        recurring_gift_id,
        has_crm_key,
        crm_key_recurring_gift_id
    from {{ ref('int_raise__schedule_facts') }}
),

crm_schedules as (
    select
        organization,
        recurring_gift_id,
        pair_raise_id,
        is_ended
    from {{ ref('int_crm_plus__schedule_facts') }}
),

keyed as (
    select
        raise_schedules.organization,
        raise_schedules.recurring_gift_id as raise_schedule_id,
        crm_schedules.recurring_gift_id as crm_schedule_id,
        coalesce(crm_schedules.pair_raise_id = raise_schedules.recurring_gift_id, false) as is_pair_agreeing
    from raise_schedules
    inner join crm_schedules
        on
            raise_schedules.organization = crm_schedules.organization
            and raise_schedules.crm_key_recurring_gift_id = crm_schedules.recurring_gift_id
),

-- of several with one pair the one that still runs, of several of those the oldest
paired as (
    select
        raise_schedules.organization,
        raise_schedules.recurring_gift_id as raise_schedule_id,
        arg_min(
            crm_schedules.recurring_gift_id, (coalesce(crm_schedules.is_ended, false), crm_schedules.recurring_gift_id)
        ) as crm_schedule_id
    from raise_schedules
    inner join crm_schedules
        on
            raise_schedules.organization = crm_schedules.organization
            and raise_schedules.recurring_gift_id = crm_schedules.pair_raise_id
    where not raise_schedules.has_crm_key
    group by raise_schedules.organization, raise_schedules.recurring_gift_id
)

select
    organization,
    raise_schedule_id,
    crm_schedule_id,
    'crm_key' as evidence,
    case when is_pair_agreeing then 'exact' else 'high' end as confidence
from keyed
union all
select
    organization,
    raise_schedule_id,
    crm_schedule_id,
    'transaction' as evidence,
    'medium' as confidence
from paired
