-- The CRM+ schedules that are there, with what their matching and comparison need.
with schedules as (
    select
        organization,
        recurring_gift_id,
        contact_id,
        is_from_raise,
        transaction_id,
        status,
        frequency,
        amount,
        cancelled_at,
        created_at,
        modified_at,
        first_extracted_at
    from {{ ref('stg_crm_plus__recurring_gifts') }}
    where not is_deleted
),

states as (
    select
        label,
        state,
        is_ended
    from {{ ref('int_seeds__recurring_states') }}
    where source = 'crm_plus' and problem is null
),

frequencies as (
    select
        value,
        payments_per_year
    from {{ ref('int_seeds__frequencies') }}
    where source = 'crm_plus' and problem is null
)

select
    schedules.organization,
    schedules.recurring_gift_id,
    schedules.contact_id,
    contacts.survivor_contact_id as resolved_contact_id,
    coalesce(contacts.is_end_unknown, false) as is_contact_quarantined,
    schedules.is_from_raise,
    case when schedules.is_from_raise then {{ transaction_raise_id('schedules.transaction_id') }} end as pair_raise_id,
    schedules.status,
    case when schedules.cancelled_at is not null then true else states.is_ended end as is_ended,
    schedules.cancelled_at,
    schedules.frequency,
    frequencies.payments_per_year,
    schedules.amount,
    coalesce(schedules.created_at, schedules.first_extracted_at) as made_at,
    coalesce(greatest(schedules.created_at, schedules.modified_at), schedules.first_extracted_at) as changed_at
from schedules
left join states
    on replace({{ fold_text('schedules.status') }}, ' ', '') = states.label
left join frequencies
    on regexp_replace({{ fold_text('schedules.frequency') }}, '[ -]', '', 'g') = frequencies.value
left join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
    on
        schedules.organization = contacts.organization
        and schedules.contact_id = contacts.contact_id
