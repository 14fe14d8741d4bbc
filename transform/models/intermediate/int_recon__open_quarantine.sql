-- Records that exist and whose present state is not known, because they, or a field that decides, could not be read.
with quarantined as (
    select
        organization,
        'raise' as source,
        resource,
        record_id,
        field,
        first_seen_at
    from {{ ref('stg_raise__quarantined_records') }}
    where resolved_at is null and {{ is_value_unknown('error') }}
    union all
    select
        organization,
        'crm_plus' as source,
        resource,
        record_id,
        field,
        first_seen_at
    from {{ ref('stg_crm_plus__quarantined_records') }}
    where resolved_at is null and {{ is_value_unknown('error') }}
),

named_fields as (
    select
        organization,
        source,
        resource,
        record_id,
        first_seen_at,
        {{ quarantined_field('field') }} as field_name
    from quarantined
),

deciding as (
    select
        organization,
        source,
        resource,
        record_id,
        {{ integer_key('record_id') }} as record_key,
        first_seen_at
    from named_fields
    where
        coalesce(field_name, '') = ''
        or (resource = 'donors' and field_name in ('istestmode', 'isgdprdeleted', 'crmkey', 'crmkeyurls'))
        or (resource = 'contacts' and field_name in ('mergedintocontactid', 'isarchived', 'contactreferences'))
        or (resource = 'campaigns' and field_name = 'cansync')
        or (resource = 'segments' and field_name = 'campaignid')
        or (
            resource = 'gifts'
            and source = 'raise'
            and field_name in ('amount', 'currency', 'statustext', 'istestmode', 'donorpaidcosts', 'projects', 'donorid')
        )
        or (
            resource = 'gifts'
            and source = 'crm_plus'
            and field_name in (
                'amount', 'currencycode', 'basecurrencycode', 'exchangerate', 'gifttype', 'giftdesignations',
                'reversedgiftid', 'transactionsource', 'transactionid', 'contactid', 'contactpassthroughid'
            )
        )
        or (
            resource = 'recurring_gifts'
            and source = 'raise'
            and field_name in ('amount', 'frequency', 'statustext', 'istestmode', 'crmkey', 'donorid')
        )
        or (
            resource = 'recurring_gifts'
            and source = 'crm_plus'
            and field_name in (
                'amount', 'frequency', 'status', 'canceldatetimeutc', 'transactionsource', 'transactionid', 'contactid'
            )
        )
)

select
    deciding.organization,
    deciding.source,
    deciding.resource,
    deciding.record_key,
    gaps.above_key,
    gaps.below_key,
    min(deciding.first_seen_at) as quarantined_since
from deciding
left join {{ ref('int_recon__record_gaps') }} as gaps
    on
        deciding.organization = gaps.organization
        and deciding.source = gaps.source
        and deciding.resource = gaps.resource
        and deciding.record_id = gaps.record_id
group by all
