-- Raise gifts for reporting, deleted and test-mode ones included.
{{ config(materialized='maintained_table') }}
select
    gifts.organization,
    gifts.gift_id,
    gifts.donor_id,
    gifts.recurring_gift_id,
    recon.donation_kind,
    gifts.gift_date,
    gifts.created_at,
    gifts.modified_at,
    gifts.amount,
    recon.raise_currency as currency,
    {{ clean_text('gifts.status_text') }} as status,
    gifts.status as status_code,
    gifts.status_group,
    coalesce(gifts.donor_paid_costs, false) as donor_paid_costs,
    recon.covered_costs as covered_costs_amount,
    {{ clean_text('gifts.payment_type') }} as payment_type,
    {{ clean_text('gifts.payment_info') }} as payment_info,
    {{ clean_text('gifts.gateway') }} as gateway,
    {{ clean_text('gifts.transaction_id') }} as transaction_id,
    {{ clean_text('gifts.donation_id') }} as donation_id,
    case when expectations.campaign_count = 1 then expectations.campaign_id else gifts.campaign_id end as campaign_id,
    {{ clean_text('recon.campaign') }} as campaign,
    gifts.segment_id,
    {{ clean_text('coalesce(gifts.segment_name, gifts.segment)') }} as segment,
    {{ clean_text('gifts.segment_code') }} as segment_code,
    {{ clean_text('gifts.motivation') }} as motivation,
    gifts.is_anonymous,
    recon.contact_id,
    recon.crm_id,
    recon.status as recon_status,
    recon.crm_url,
    gifts.is_test_mode,
    gifts.is_deleted,
    gifts.deleted_at
from {{ ref('stg_raise__gifts') }} as gifts
left join {{ ref('recon_gifts') }} as recon
    on
        gifts.organization = recon.organization
        and gifts.gift_id = recon.raise_id
left join {{ ref('int_raise__giving_expectations') }} as expectations
    on
        gifts.organization = expectations.organization
        and gifts.gift_id = expectations.record_id
        and expectations.entity = 'gift'
