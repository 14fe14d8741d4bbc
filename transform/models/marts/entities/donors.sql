-- Raise donors for reporting, deleted and test-mode ones included.
{{ config(materialized='maintained_table') }}
select
    donors.organization,
    donors.donor_id,
    {{ clean_text('donors.donor_name') }} as donor_name,
    {{ clean_text('donors.title') }} as title,
    {{ clean_text('donors.first_name') }} as first_name,
    {{ clean_text('donors.middle_name') }} as middle_name,
    {{ clean_text('donors.last_name') }} as last_name,
    {{ clean_text('donors.suffix') }} as suffix,
    coalesce(donors.is_organization, false) as is_organization,
    {{ clean_text('donors.organization_name') }} as organization_name,
    {{ clean_text('donors.email') }} as email,
    {{ clean_text('donors.phone') }} as phone,
    {{ clean_text("donors.primary_address ->> '$.address1'") }} as address_line_1,
    {{ clean_text("donors.primary_address ->> '$.address2'") }} as address_line_2,
    {{ clean_text("donors.primary_address ->> '$.city'") }} as city,
    {{ clean_text("donors.primary_address ->> '$.state'") }} as state,
    {{ clean_text("donors.primary_address ->> '$.postal'") }} as postal_code,
    {{ clean_text("donors.primary_address ->> '$.countryString'") }} as country,
    donors.created_at,
    donors.modified_at,
    recon.gift_count,
    recon.gift_amount,
    {{ clean_text('donors.crm_key') }} as crm_key,
    recon.crm_id,
    recon.status as recon_status,
    recon.crm_url,
    donors.is_archived,
    donors.is_test_mode,
    donors.is_gdpr_deleted,
    donors.is_deleted or donors.is_gdpr_deleted as is_deleted,
    donors.deleted_at
from {{ ref('stg_raise__donors') }} as donors
left join {{ ref('recon_donors') }} as recon
    on
        donors.organization = recon.organization
        and donors.donor_id = recon.raise_id
