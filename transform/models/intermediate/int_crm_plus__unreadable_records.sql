-- Contacts, gifts and schedules that CRM+ has and nobody could read, and whom they may belong to, as far as the text tells.
with quarantined as (
    select
        organization,
        resource,
        record_id,
        {{ integer_key('record_id') }} as record_key,
        try_cast(raw_text as json) as record
    from {{ ref('stg_crm_plus__quarantined_records') }}
    where
        resolved_at is null
        and {{ clean_text('field') }} is null
        and resource in ('contacts', 'gifts', 'recurring_gifts')
),

-- of a record that an earlier version was read of, that version tells
known_records as (
    select
        organization,
        'contacts' as resource,
        contact_id as record_key
    from {{ ref('stg_crm_plus__contacts') }}
    union all
    select
        organization,
        'gifts' as resource,
        gift_id as record_key
    from {{ ref('stg_crm_plus__gifts') }}
    union all
    select
        organization,
        'recurring_gifts' as resource,
        recurring_gift_id as record_key
    from {{ ref('stg_crm_plus__recurring_gifts') }}
),

unread as (
    select
        quarantined.organization,
        quarantined.resource,
        quarantined.record_id,
        quarantined.record_key,
        json_type(quarantined.record) = 'OBJECT' as is_readable_as_text,
        quarantined.record,
        case
            when {{ is_raise_transaction_source("quarantined.record ->> '$.transactionSource'") }}
                then {{ transaction_raise_id("quarantined.record ->> '$.transactionId'") }}
        end as raise_id,
        {{ integer_key("quarantined.record ->> '$.contactId'") }} as contact_id
    from quarantined
    anti join known_records
        on
            quarantined.organization = known_records.organization
            and quarantined.resource = known_records.resource
            and quarantined.record_key = known_records.record_key
),

named_donors as (
    select
        organization,
        resource,
        record_key,
        unnest(from_json(record -> '$.contactReferences', '[{"source": "VARCHAR", "id": "VARCHAR"}]')) as reference
    from unread
    where resource = 'contacts' and is_readable_as_text
)

select
    unread.organization,
    unread.resource,
    unread.record_key,
    unread.raise_id,
    case when unread.raise_id is null then coalesce(contacts.survivor_contact_id, unread.contact_id) end as contact_id,
    not coalesce(unread.is_readable_as_text, false) or (unread.raise_id is null and unread.contact_id is null)
        as is_unidentified,
    gaps.made_before
from unread
left join {{ ref('int_recon__record_gaps') }} as gaps
    on
        gaps.source = 'crm_plus'
        and unread.organization = gaps.organization
        and unread.resource = gaps.resource
        and unread.record_id = gaps.record_id
left join {{ ref('int_crm_plus__contacts_resolved') }} as contacts
    on
        unread.organization = contacts.organization
        and unread.contact_id = contacts.contact_id
where unread.resource != 'contacts' or not coalesce(unread.is_readable_as_text, false)
union all
-- a contact may be that of every donor that it names, and of no other
select
    organization,
    resource,
    record_key,
    {{ integer_key('reference.id') }} as raise_id,
    cast(null as bigint) as contact_id,
    false as is_unidentified,
    null as made_before
from named_donors
where {{ is_raise_reference_source('reference.source') }} and {{ integer_key('reference.id') }} is not null
